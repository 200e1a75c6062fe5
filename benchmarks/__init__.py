"""Measures what the project promises; `./grow bench` runs all, `./grow bench NAME` one."""
