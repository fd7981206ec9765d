/** The names of the commands of this part, by which its plugins find each other. */

export const OPEN = 'gemini-magic:open-sidebar';
export const ADD = 'gemini-magic:add-backend';
export const GALLERY = 'gemini-magic:show-pictures';
export const CLEAR = 'gemini-magic:clear-cache';
