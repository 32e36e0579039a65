"""What a training is fed with: pictures, captions, prompts and model files. Read, never changed, never unpickled."""
