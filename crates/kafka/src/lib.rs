//! the driver: one thread running a worker on rdkafka
