"""`strongroom doctor`: one module for each group of checks; `examination` runs them in order."""
