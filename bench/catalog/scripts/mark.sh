#!/bin/sh
# Leave one line for each layer.
echo "$BAKELINE_IMAGE" >> /etc/mark
