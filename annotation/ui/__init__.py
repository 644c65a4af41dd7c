"""The pages: one module a page with a `page()` function. They show and ask; rules live in annotation and storage."""
