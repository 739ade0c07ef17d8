"""Hadronic interactions: Geant4 and UrQMD behind one face, events, kinematics, particles."""
