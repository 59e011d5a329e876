//! customer state, scores and alerts as a fold over touchpoints
