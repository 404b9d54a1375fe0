-- name: space
SELECT page_size, page_count, freelist_count, auto_vacuum
FROM pragma_page_size, pragma_page_count, pragma_freelist_count, pragma_auto_vacuum

-- name: give_back_a_page
-- The last page of the file moves to an unused place, and the file ends before it. A statement for each page: Python takes
-- this one for ended after its first step, and a step is a page.
PRAGMA incremental_vacuum(1)

-- name: checkpoint
PRAGMA wal_checkpoint(PASSIVE)
