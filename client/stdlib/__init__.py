"""The standard library's interfaces: Executor, Pool, managers and their proxies."""
