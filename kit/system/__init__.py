"""What any program on disks and cores needs: whole files, locks, processes, progress."""
