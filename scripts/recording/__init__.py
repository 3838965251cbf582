"""Records a command on a terminal and renders the recording as an animated SVG."""
