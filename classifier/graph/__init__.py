"""From a trained network to the ONNX graph that ships: export, smoothing, int8, a leaner form."""
