"""From a finished training run to an artefact: curves and edges fitted, losses measured, the card, the folder."""
