"""Speech whose every sound is known: texts, voices of several free engines, and their timings.

The engines are Debian's packages and no dependency of the product: espeak-ng, flite, festival.
"""
