"""The annotation tool: formats, sampling, the loop and its worker, the commands and the pages."""
