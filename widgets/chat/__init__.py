"""The live conversation: boot, socket, questions, streamed answers."""
