"""Templates, style sheet and chart script of the report page; packaged as `trainlens.templates`."""
