"""What pages are made of: tables, figures and words."""
