import './base.css';
import './editor.css';
import './quota.css';
import './documents.css';
