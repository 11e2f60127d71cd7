"""Write the calls that several files contain: split recordings, files per participant, and HLS and DASH segments."""
