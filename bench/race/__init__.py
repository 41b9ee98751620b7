"""The gate's races: sallyport and a rival by turns in one run, on the same keys."""
