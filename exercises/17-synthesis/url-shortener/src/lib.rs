//! A URL shortener, composed of the parts that the rest of the workbook is about.
//!
//! Nothing in here opens a socket or reads a clock. The program that does is in the folder `service` beside the exercise.

pub mod click;
pub mod code;
pub mod create;
pub mod estimate;
pub mod parts;
pub mod store;
pub mod system;
