SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3

.PHONY: setup
setup:
	PYTHON=$(PYTHON) deploy/development/setup.sh
