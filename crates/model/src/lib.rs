//! the vocabulary of Throughline: touchpoints, identifiers, customers, offsets, rejections
