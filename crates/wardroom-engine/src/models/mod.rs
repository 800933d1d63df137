//! Language models: how providers are asked, and how their answers are read.

pub mod openai;
