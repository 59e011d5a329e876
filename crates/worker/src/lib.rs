//! the sans-IO worker: assignment, restore, transactions, batching
