"""IPython's face: magics, completion, the user's namespace, and drawing."""
