"""Heavy-ion initial states: nuclei of any shape and their collisions (the TRENTo model, arXiv:1412.4708)."""
