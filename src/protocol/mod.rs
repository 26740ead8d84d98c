//! Bytes to typed WeCom messages and back: signature, AES, XML and JSON. What WeCom says, nothing of ours.
