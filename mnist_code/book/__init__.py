"""Tools for the chapters: plots, timing, published results. The program itself needs none."""
