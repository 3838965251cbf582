"""Conditions of real AWS that the local EC2 imitates on request.

Each module implements one condition. All of them are off until a control call switches them on.
"""
