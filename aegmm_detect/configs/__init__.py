"""Settings as frozen pydantic models, free of TensorFlow."""
