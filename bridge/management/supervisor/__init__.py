"""What `manage.py run` supervises: the embedded services and the processes of Bridge."""
