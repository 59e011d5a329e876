//! HTTP routes, OpenAPI, metrics, health
