"""Reports: a page that hands a result over."""
