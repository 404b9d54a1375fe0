-- Queues that were shut down: queue.Queue.shutdown() of Python 3.13.

ALTER TABLE item_queues ADD COLUMN shut INTEGER NOT NULL DEFAULT 0;  -- 1: nothing more is put; 2: nothing comes back
