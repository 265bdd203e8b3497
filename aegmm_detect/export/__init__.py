"""Export the scoring graph: SavedModel, ONNX, LiteRT, each reloaded and compared."""
