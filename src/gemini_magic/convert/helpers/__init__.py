"""What exported scripts are given along: functions whose text is copied, never imported by us.

Each module here is Python as it stands in a script. ``library`` takes out of them what a script
uses, so a helper may use other helpers and names of the standard library, and nothing of ours.
"""
