"""The ways in and out: notebooks read as steps, and programs written of them."""
