"""From a finished training run to an artefact: curves and edges fitted, the card, the folder."""
