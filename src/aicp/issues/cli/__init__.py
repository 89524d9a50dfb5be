"""The `bd` command. `entry.py` is where it starts; `spec.py` lists every command and option."""
