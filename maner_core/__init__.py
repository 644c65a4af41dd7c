"""The MANER tagger on plain data: it knows nothing of projects, annotators or screens."""
