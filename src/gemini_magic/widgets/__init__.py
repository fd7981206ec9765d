"""What ipywidgets draw: faces that change by themselves while no cell runs."""
