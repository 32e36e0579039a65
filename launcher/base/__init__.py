"""What every other package may use: errors, findings, origins, nearest names, files and the user's folders."""
