//! Rolling windows.
