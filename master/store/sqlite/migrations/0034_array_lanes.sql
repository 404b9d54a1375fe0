-- In which lane each task of an array stands, if they stand in different ones. The array's slices and the rows of its tasks are then of the
-- mixed lane of their route: no statement finds what is ready in a lane by it, so that nothing is split before it is leased.
ALTER TABLE arrays ADD COLUMN lanes BLOB;  -- msgpack: priority, [tenant, limits] of each lane, two bytes for each task; NULL: all in one
