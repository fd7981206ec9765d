"""What exported scripts are given along: functions whose text is copied, not run here.

Each module here is Python as it stands in a script. ``library`` takes out of them what
a script uses, so a helper may use others and the standard library, and nothing of ours.
"""
