"""The demo trainer's parts, under the folder name that sd-scripts uses."""
