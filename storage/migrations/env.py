"""What Alembic runs around the revisions: the connection comes from storage.migrations.upgrade."""

from alembic import context

from storage.columns import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a column by copying its table
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
