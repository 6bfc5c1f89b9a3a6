"""What a spare does in its site phase: see `spare.py`, which stands before it."""

vanish()
raised = image_sitecustomize()
seen = warm_up()
apply_job(seen)
if raised is not None:
    raise raised
