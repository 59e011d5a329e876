//! source payloads to touchpoints or rejections, one module per format
