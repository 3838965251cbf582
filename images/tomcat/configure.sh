#!/bin/sh
# Bind Tomcat's connector to localhost.
set -eu
sed -i 's/<Connector port="8080"/<Connector port="8080" address="127.0.0.1"/' /etc/tomcat10/server.xml
grep -q 'address="127.0.0.1"' /etc/tomcat10/server.xml
