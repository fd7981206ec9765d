/** A box that is ticked or not, with its words beside it. */

import * as React from 'react';

interface ITick {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
}

export function Tick({ label, checked, onChange }: ITick): React.JSX.Element {
  return (
    <label className="jp-gemini-Tick">
      <input
        type="checkbox"
        checked={checked}
        onChange={event => {
          onChange(event.target.checked);
        }}
      />
      {label}
    </label>
  );
}
